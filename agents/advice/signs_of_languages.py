"""The same signs in other languages than English: orders to forget what was said, about severity, and not to tell anybody.

Patterns are of folded text (see `signs.py`), so Latin letters carry no marks here, Russian keeps its own letters and Arabic has no vowels.
"""

from __future__ import annotations

from agents.advice.signs import sign

GAP = r"[^.!?\n。！？।؟]{0,40}?"
NEAR = r"[^.!?\n。！？।؟]{0,16}?"
P = r"p ?[0-5]\b"

LATIN = (
    sign(  # German
        "override",
        "ignorier|missacht|vergiss|vergesst|vergessen sie|uberschreib|beachte nicht|beachten sie nicht|befolge|anweisung",
        rf"\b(?:ignorier\w*|missacht\w*|vergiss|vergesst|vergessen sie|uberschreib\w*|beachten? (?:sie )?nicht|befolgen? (?:sie )?nicht)\b{GAP}"
        r"\b(?:anweisung\w*|instruktion\w*|vorgabe\w*|regel\w*|befehl\w*|prompt\w*|bisherige\w*|obige\w*|vorherige\w*|alles (?:vorher|oben|bisher)\w*)",
        r"\b(?:neue|wichtige|geheime) (?:anweisung|instruktion)(?:en)? ?(?::|fur|an)|\bdu bist (?:jetzt|nun|ab jetzt|ein(?:e)? (?:ki|assistent|modell))",
        r"\bab (?:jetzt|sofort) (?:antworte|bist|sollst|musst|gilt)",
    ),
    sign(
        "severity_order",
        "schweregrad|prioritat|dringlichkeit|stufe|einstuf|herabstuf|hochstuf|markier|behandle|setze|als p",
        rf"\b(?:setzen?|ander\w*|stuf\w*|senk\w*|erhoh\w*|markier\w*|klassifizier\w*|behandel\w*|behandle|antwort\w*|melde)\b{GAP}(?:\b{P}|"
        r"\bals (?:erledigt|gelost|geschlossen|unkritisch|kritisch|niedrig|fehlalarm|harmlos)|\b(?:schweregrad|prioritat|dringlichkeit)\b"
        r"[^.!?\n]{0,12}\b(?:auf|zu|als)\b)",
        rf"\b(?:muss|soll|sollte|darf nur)\b{NEAR}\b{P}",
    ),
    sign(
        "silence_order",
        "niemand|nicht|keine|unterdruck|stumm|ignorier",
        rf"\b(?:niemanden?|nicht|keinen?) (?:alarmier\w*|weck\w*|benachrichtig\w*|anruf\w*|pag\w*|informier\w*|bereitschaft)"
        r"|\b(?:alarmier\w*|weck\w*|benachrichtig\w*|informier\w*) (?:sie )?(?:niemand|keinen|nicht)"
        rf"|\b(?:unterdruck\w*|schalt\w*|ignorier\w*|schliess\w*)\b{NEAR}\b(?:alarm\w*|alert\w*|meldung\w*|vorfall|benachrichtigung\w*|incident)",
    ),
    sign(  # French
        "override",
        "ignore|oubli|ne ten|ne suiv|consigne|instructions|desormais|tu es|vous etes|disregard",
        rf"\b(?:ignore[zr]?|oublie[zr]?|neglige[zr]?|ne (?:tiens|tenez) pas compte|ne (?:suis|suivez) pas|contourne[zr]?|annule[zr]?)\b{GAP}"
        r"\b(?:instruction\w*|consigne\w*|regle\w*|directive\w*|ordre\w*|prompt\w*|ce qui precede|precedent\w*|ci-dessus)",
        r"\bnouvelles? (?:instruction|consigne|directive)s? ?(?::|pour)|\b(?:tu es|vous etes) (?:maintenant|desormais|un(?:e)? (?:ia|assistant|modele))",
        r"\b(?:desormais|a partir de maintenant),? (?:tu|vous|reponds|repondez|toutes?)\b",
    ),
    sign(
        "severity_order",
        "gravite|severite|priorite|classe|marque|considere|traite|mets|mettez|definis|regle|repond",
        rf"\b(?:mets|mettez|definis\w*|regle[zr]?|change[zr]?|classe[zr]?|marque[zr]?|considere[zr]?|traite[zr]?|abaisse[zr]?|augmente[zr]?|repond\w*"
        rf"|fixe[zr]?|doit etre|doit rester)\b{GAP}(?:\b{P}|\bcomme (?:resolue?|fermee?|critique|mineure?|faible|fausse|un faux|sans)|\b(?:gravite|severite"
        r"|priorite|urgence)\b[^.!?\n]{0,14}\b(?:a|sur|en|comme|au)\b)",
    ),
    sign(
        "silence_order",
        "ne pas|n'alert|n'appel|ne reveil|ne previen|ne notif|personne|supprime|silence",
        r"\bne (?:pas )?(?:reveille\w*|previen\w*|notifie\w*|prevenir|reveiller|notifier|alerter|appeler|page\w*)|\bn'(?:alerte|appelle|avertis)\w*",
        rf"\b(?:supprime[zr]?|ignore[zr]?|mets? en sourdine|desactive[zr]?|ferme[zr]?|cloture[zr]?|resous)\b{NEAR}"
        r"\b(?:cette |l'|cet |toutes les |les )(?:alertes?|incidents?|notifications?|alarmes?)",
    ),
    sign(  # Spanish, Portuguese, Italian
        "override",
        "ignor|olvid|esque|dimentic|desconsider|descart|omit|instruc|istruz|trascur|no sig|nao sig|non seg|ahora eres|agora voce|ora sei|a partir",
        rf"\b(?:ignor(?:a|e|en|ad|ar|are|ate|i|em|es|ando)|olvid(?:a|e|en|ad|ar|ate|es)|esque(?:ca|cer|cam|ce)|dimentica(?:re|te)?|desconsider(?:a|e|ar|em)"
        rf"|descarta(?:r|re)?|omit(?:e|a|ir)|trascura(?:re|te)?|no sigas|nao siga|non seguire|anula(?:r)?)\b{GAP}"
        r"\b(?:instruc\w*|istruzion\w*|indica\w*|orden(?:es|s)|ordin[ei]|regl\w*|regr\w*|regol\w*|directriz\w*|diretriz\w*|direttiv\w*|prompt\w*|anterior\w*"
        r"|precedent\w*|acima|arriba|sopra|comand\w*)",
        r"\b(?:nuevas?|novas?|nuov[ae]) (?:instruc\w*|istruzion\w*|orden(?:es|s)?) ?(?::|para|per)",
        r"\b(?:ahora eres|agora voce e|voce agora e|ora sei|adesso sei|eres (?:una? )?(?:ia|asistente|modelo)|voce e (?:uma? )?(?:ia|assistente|modelo)"
        r"|sei (?:una? )?(?:ia|assistente|modello))\b",
        r"\b(?:a partir de (?:ahora|agora)|d'ora in poi),? (?:responde|eres|debes|voce|responda|devi|rispondi|todas?|tutti)\b",
    ),
    sign(
        "severity_order",
        "severidad|gravedad|prioridad|severidade|gravidade|prioridade|gravita|priorita|clasif|classif|marca|trata|establec|defin|impost|respond|rispond"
        "|debe ser|deve ser|deve esser|considera|pon |baja|sube",
        rf"\b(?:establec\w*|pon(?:er|ga|gan|lo)?|cambia\w*|defin[aei]\w*|impost\w*|clasific\w*|classific\w*|marc(?:a|ar|are|alo|he|ue|quen)|tratt?[ae]\w*"
        rf"|consider[ae]\w*|baj[ae]\w*|sub[ae]\w*|reduz\w*|abbass\w*|alz[ai]\w*|respond\w*|rispond\w*|altere|mude|deb[ea] (?:ser|quedar)|dev[ea] (?:ser|essere))"
        rf"\b{GAP}(?:\b{P}|\b(?:como|come) (?:resuel\w*|resolvid\w*|risolt\w*|cerrad\w*|fechad\w*|chius\w*|critic\w*|baj\w*|baix\w*|bass\w*|fals[oa]\w*"
        r"|inofensiv\w*)|\b(?:severidade?|gravedad|gravidade|prioridade?|gravita|priorita|severita)\b[^.!?\n]{0,14}\b(?:en|a|como|para|em|come|su)\b)",
    ),
    sign(
        "silence_order",
        "no avis|no notif|no llam|no despier|nao avis|nao notif|nao acord|nao cham|non avvis|non notif|non svegl|non chiam|nadie|ninguem|nessuno|suprim"
        "|soppri|silenci|sopprim|no alert|nao alert|non allert|no pagin",
        r"\b(?:no|nao|non) (?:avis\w*|notif\w*|llam\w*|despiert\w*|despert\w*|acord\w*|cham\w*|avvis\w*|svegli\w*|chiam\w*|alert\w*|allert\w*|pagin\w*)",
        rf"\b(?:suprim\w*|sopprim\w*|silenci\w*|silenzi\w*|ignor[ae]\w*|cierr\w*|fech[ae]\w*|chiud\w*|resuelv\w*|resolv[ae]\w*)\b{NEAR}"
        r"\b(?:est[ae]s?|quest[oa]|todas?|todos|tutt[ei]|la|el|o|a|l')\b ?(?:las |los |as |os |gli |le )?(?:alert\w*|incident\w*|alarm\w*|notific\w*|allarm\w*)",
    ),
    sign(  # Turkish
        "override",
        "talimat|yok say|gormezden|unut|dikkate alma|yonerge|artik sen|komut",
        rf"\b(?:onceki|yukaridaki|tum|butun|sistem|eski)\b{GAP}\b(?:talimat\w*|yonerge\w*|kural\w*|komut\w*){GAP}\b(?:yok say|gormezden|unut|dikkate alma|uyma)\w*",
        r"\b(?:talimat|yonerge)\w*[^.!?\n]{0,20}?(?:yok say|gormezden gel|unut|dikkate alma)|\byeni talimat\w* ?:|\b(?:artik sen|sen artik|sen bir (?:yapay|asistan))",
    ),
    sign(
        "severity_order",
        "onem|oncelik|ciddiyet|olarak|seviye",
        rf"\b(?:onem derecesi\w*|onceli[kg]\w*|ciddiyet\w*|seviye\w*|siddet\w*)\b{GAP}(?:\b{P}|\b(?:yap|ayarla|dusur|yukselt|degistir)\w*)",
        rf"\b{P}{NEAR}\b(?:olarak|yap|ayarla|isaretle|siniflandir)\w*|\b(?:cozuldu|kapatildi|onemsiz|kritik|dusuk) olarak (?:isaretle|siniflandir|kabul)\w*",
    ),
    sign("silence_order", "kimse|uyandirma|bildirim|bastir|sustur", r"\bkimse\w*[^.!?\n]{0,20}?(?:uyandirma|haber verme|arama|bildirme|cagirma)",
         r"\b(?:alarm|uyari|bildirim|olay)\w*[^.!?\n]{0,20}?\b(?:bastir|sustur|kapat|yok say|gormezden)\w*|\bbildirim gonderme\b"),
    sign(  # Polish
        "override",
        "zignoruj|ignoruj|zapomnij|pomin|instrukcj|polece|jestes teraz|teraz jestes",
        rf"\b(?:zignoruj\w*|ignoruj\w*|zapomnij\w*|pomin\w*|nie (?:przestrzegaj|stosuj))\b{GAP}"
        r"\b(?:instrukcj\w*|polece\w*|zasad\w*|wytyczn\w*|regu[lł]\w*|prompt\w*|poprzedni\w*|powyzsz\w*|wczesniejsz\w*)",
        r"\bnowe (?:instrukcje|polecenia) ?:|\b(?:jestes teraz|teraz jestes|od teraz (?:jestes|odpowiadaj))\b",
    ),
    sign(
        "severity_order",
        "priorytet|waznos|ustaw|oznacz|sklasyfikuj|traktuj|krytyczno|musi byc|zmien",
        rf"\b(?:ustaw\w*|zmien\w*|oznacz\w*|sklasyfikuj\w*|traktuj\w*|obniz\w*|podnies\w*|podwyzsz\w*|odpowiedz|musi byc)\b{GAP}"
        rf"(?:\b{P}|\bjako (?:rozwiazan\w*|zamkniet\w*|krytyczn\w*|nisk\w*|fa[lł]szyw\w*|nieistotn\w*)|\b(?:priorytet\w*|waznosc\w*|krytycznosc\w*) na\b)",
    ),
    sign("silence_order", "nie budz|nie powiad|nie alarm|nie dzwon|nikogo|wycisz|stlum",
         r"\bnie (?:budz|powiad|alarm|dzwon|wzyw|inform)\w*|\bnikogo nie \w+", rf"\b(?:wycisz\w*|stlum\w*|zignoruj\w*|zamknij){NEAR}\b(?:alert\w*|alarm\w*"
         r"|incydent\w*|powiadomie\w*)"),
)

OTHER_SCRIPTS = (
    sign(  # Chinese
        "override",
        "忽略|无视|無視|忘记|忘記|不要遵|不要理会|覆盖|请遵|指令|指示|你现在|你現在|从现在|從現在|提示词|提示詞|新任务|系统提示",
        r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要遵[守循]|不要理会|覆盖|覆蓋|抛开)[^。！？\n]{0,20}?(?:指令|指示|说明|說明|规则|規則|提示|要求|命令|内容|內容|上文|以上|之前|先前)",
        r"(?:新的?|以下)(?:指令|指示|任务|任務)[:：]|你(?:现在|現在)?是(?:一个|一個|一名)?(?:AI|ai|人工智能|助手|模型|机器人)|(?:从现在|從現在)(?:开始|起|開始)"
        r"|系统提示词?[:：]|(?:输出|显示|重复|告诉我)[^。！？\n]{0,12}?(?:提示词|系统提示)|请遵[循守](?:以下|我)|人工智能(?:助手|模型)[,，:：]",
    ),
    sign(
        "severity_order",
        "严重|嚴重|优先级|優先級|级别|級別|标记|標記|归类|分类|視為|视为|设为|設為|评为|当作|当成|定为",
        r"(?:设|設|改|调|調|降|升|提|标记|標記|归类|分类|視|视|评|判|定|当作|当成|当做)(?:置|定|级|低|高|成)?[^。！？\n]{0,8}?(?:为|為|到|成|至|作)?[^。！？\n]{0,6}?(?:p ?[0-5]|已解决|已解決|已关闭"
        r"|误报|誤報|低优先|不重要|最低|最高)",
        r"(?:严重|嚴重)(?:性|程度|级别|級別)?[^。！？\n]{0,8}?(?:必须|必須|应该|應該|应为|應為|设|設|改|降|调|升)|(?:必须|必須|应该|應該|应当|一定)(?:是|为|為)[^。！？\n]{0,4}?p ?[0-5]"
        r"|(?:回答|回复|输出|返回)[^。！？\n]{0,6}?p ?[0-5]",
    ),
    sign("silence_order", "不要|请勿|別|别|无需|不用|抑制|静音|靜音|屏蔽|关闭|忽略",
         r"(?:不要|请勿|請勿|别|別|无需|無需|不用|不必)(?:再)?(?:呼叫|通知|报警|報警|告警|打电话|叫醒|唤醒|寻呼|打扰|升级|发送)", r"(?:抑制|静音|靜音|屏蔽|压制|关闭|忽略|解决)"
         r"(?:掉)?(?:这|這|该|該|此|所有|本|全部)(?:个|個|条|條|次|些)?(?:警报|告警|报警|警報|事件|通知|故障)"),
    sign(  # Japanese
        "override",
        "無視|忘れ|従わ|指示|命令|あなたは|プロンプト|今後は|これから",
        r"(?:指示|命令|ルール|規則|プロンプト|内容|上記|以前|これまで|前)[^。！？\n]{0,14}?(?:無視|忘れ|従わ|破棄)|(?:無視|忘れて)[^。！？\n]{0,14}?(?:指示|命令|ルール|プロンプト)",
        r"新しい(?:指示|命令|タスク)[:：はを]|あなたは(?:今|今から|これから)?[^。！？\n]{0,8}?(?:ai|アシスタント|モデル|人工知能)|(?:今後|これから)は[^。！？\n]{0,10}?(?:答え|回答|出力)"
        r"|(?:システム)?プロンプトを(?:表示|出力|教え)|(?:ai|アシスタント|モデル)(?:へ|に)の?(?:指示|命令)",
    ),
    sign("severity_order", "重大度|深刻度|優先度|分類|扱|設定|とみなし|として|に下げ|に上げ",
         r"(?:重大度|深刻度|優先度|緊急度|重要度)[^。！？\n]{0,10}?(?:p ?[0-5]|[0-9])?(?:に|へ|と)?[^。！？\n]{0,4}?(?:設定|変更|下げ|上げ|して|しろ|せよ)",
         r"p ?[0-5] ?(?:に|と|として)[^。！？\n]{0,8}?(?:設定|分類|扱|判定|答え|回答|して|しろ|みなし|下げ|上げ)|(?:解決済み|誤検知|クローズ|低優先)(?:み)?(?:として|に|と)[^。！？\n]{0,8}?(?:扱|分類|マーク|して|しろ|みなし)"),
    sign("silence_order", "通知|呼び出|起こ|アラート|連絡|抑制|インシデント", r"(?:通知|呼び出|起こ|連絡|エスカレーション|ページ)(?:を|は|し)?(?:し)?(?:さ)?(?:ない|しない|するな|しないで|さないで)",
         r"(?:アラート|通知|インシデント|警報)を(?:抑制|無視|ミュート|クローズ|解決|停止)(?:し|せよ|して|しろ)"),
    sign(  # Korean
        "override",
        "지시|명령|무시|프롬프트|규칙",
        r"(?:지시|명령|규칙|프롬프트|지침)[^.!?\n]{0,12}?(?:무시|잊)|(?:무시|잊)[^.!?\n]{0,12}?(?:지시|명령|규칙)|새로운 (?:지시|명령)|심각도[^.!?\n]{0,10}?(?:설정|변경|낮추|높이)"
        r"|p ?[0-5](?:로|으로)[^.!?\n]{0,6}?(?:설정|분류|변경|표시)|(?:알리지|호출하지|깨우지) ?(?:마|말)",
    ),
    sign(  # Russian and Ukrainian
        "override",
        "игнор|забуд|проигнор|не след|не обращ|инструкц|теперь ты|ты теперь|указани|отмени|ігнор|інструкц",
        rf"(?:проигнорир\w*|игнорир\w*|забуд\w*|не следу\w*|не обращ\w*|отмени\w*|ігнору\w*|забудь\w*){GAP}(?:инструкц\w*|указани\w*|правил\w*|команд\w*|промпт\w*"
        r"|предыдущ\w*|сказанно\w*|выше|інструкц\w*|попередн\w*)",
        r"нов(?:ые|ая) (?:инструкц\w*|указани\w*|задача) ?:|(?:ты теперь|теперь ты|вы теперь|отныне (?:ты|вы|отвечай)|ты (?:-|—|–) ?(?:ии|ассистент|модель))|(?:покажи|выведи|повтори)"
        r"[^.!?\n]{0,20}?(?:промпт|инструкц)\w*|системный промпт",
    ),
    sign("severity_order", "серьезн|критичн|приорит|степен|классифиц|пометь|отметь|установ|считай|важност|уровен|должен быть|должна быть",
         rf"(?:установ\w*|постав\w*|измени\w*|понизь\w*|повысь\w*|классифицир\w*|помет\w*|отмет\w*|считай\w*|присво\w*|ответ\w*|долж\w* быть){GAP}(?:\b(?:p|р) ?[0-5]\b|как (?:решен\w*"
         r"|закрыт\w*|ложн\w*|низк\w*|критическ\w*|неважн\w*)|(?:серьезност\w*|критичност\w*|приоритет\w*|важност\w*)[^.!?\n]{0,12}? (?:на|в|до|как)\b)"),
    sign("silence_order", "не звон|не буди|не увед|не опове|не вызы|никого|подав|заглуш|закрой|не беспок",
         r"не (?:звон\w*|буд(?:и|ить|ите)\b|уведомл\w*|оповещ\w*|вызыва\w*|беспоко\w*|сообща\w*)|никого не \w+",
         rf"(?:подав\w*|заглуш\w*|отключи\w*|закрой\w*|игнорир\w*|разреши\w*){NEAR}(?:оповещен\w*|уведомлен\w*|алерт\w*|инцидент\w*|тревог\w*|предупрежден\w*)"),
    sign(  # Arabic and Persian
        "override",
        "تجاهل|انس |انسى|لا تتبع|تعليمات|التعليمات|نادیده|دستور|انت الان|فراموش",
        rf"(?:تجاهل\w*|انسى?|لا تتبع|الغ|اهمل){GAP}(?:التعليمات|تعليمات|الاوامر|القواعد|السابق\w*|اعلاه|التوجيهات|ما سبق)",
        r"(?:تعليمات|اوامر) جديد\w*|(?:انت|انك) (?:الان|نموذج|مساعد|ذكاء)|(?:دستور\w*|قوانین|قبلی)[^.!?\n]{0,24}?(?:نادیده|فراموش)|(?:نادیده|فراموش)[^.!?\n]{0,24}?(?:دستور|قبلی)",
    ),
    sign("severity_order", "خطورة|شدة|اولوية|صنف|اعتبر|اجعل|الخطورة|الاولوية|كمحلول|شدت|اضبط|تعيين",
         rf"(?:اجعل|اضبط|غير|صنف|اعتبر|خفض|ارفع|حدد|ضع|عين|تعيين|اجب){GAP}(?:p ?[0-5]|خطورة|الخطورة|شدة|الشدة|اولوية|الاولوية|محلول|كمحلول|منخفض\w*|كاذب)"),
    sign("silence_order", "لا ترسل|لا توقظ|لا تنبه|لا تتصل|لا تبلغ|لا تخبر|اكتم|احدا|اسكت",
         r"لا (?:ترسل|توقظ|تنبه|تتصل|تبلغ|تخبر|تستدع)\w*|(?:اكتم|اسكت|اغلق|الغ|تجاهل)[^.!?\n]{0,12}?(?:التنبيه\w*|الانذار\w*|الحادث\w*|الاشعار\w*)"),
    sign(  # Hindi
        "override",
        "निर्देश|अनदेखा|नज़रअंदाज|नजरअंदाज|भूल|आदेश|नियम|अब आप",
        r"(?:निर्देश|आदेश|नियम|पिछल|उपरोक्त|ऊपर)[^।.!?\n]{0,30}?(?:अनदेखा|नज़रअंदाज|नजरअंदाज|भूल|उपेक्षा)|(?:अनदेखा|नजरअंदाज|भूल)[^।.!?\n]{0,30}?(?:निर्देश|आदेश|नियम)"
        r"|नए निर्देश|अब (?:आप|तुम) (?:एक|हैं|हो)",
    ),
    sign("severity_order", "गंभीरता|प्राथमिकता|चिह्नित|वर्गीकृत|सेट कर|मानो|मानें",
         r"(?:गंभीरता|प्राथमिकता)[^।.!?\n]{0,24}?(?:p ?[0-5]|सेट|कर दो|करें|करो|बदल|कम|बढ़ा)|p ?[0-5][^।.!?\n]{0,16}?(?:के रूप में|सेट|वर्गीकृत|चिह्नित|मान)"
         r"|(?:हल|बंद|समाधान)[^।.!?\n]{0,12}?(?:के रूप में )?चिह्नित"),
    sign("silence_order", "सूचित|मत|न करें|ना करें|दबा|जगा",
         r"(?:किसी को|सूचित|कॉल|पेज|अलर्ट|सूचना)[^।.!?\n]{0,20}?(?:मत|न करें|ना करें|नहीं करें|न भेजें)|(?:अलर्ट|चेतावनी|सूचना)[^।.!?\n]{0,16}?(?:दबा|अनदेखा|बंद कर)"),
)
